/* SHA-256 (FIPS 180-4) of a file. */
#ifndef SHA256_H
#define SHA256_H

/* Writes 64 hexadecimal digits and a zero; 0, or -1 where the file cannot be read. */
int sha256_of(const char *path, char digits[65]);

#endif
