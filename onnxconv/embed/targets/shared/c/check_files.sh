# Sourced by check.sh: ends with 1 where a file is not what SHA256SUMS says, before anything is compiled. Where there is no
# sha256sum, the compiled check finds it.
changed=$(LC_ALL=C sha256sum -c SHA256SUMS 2> /dev/null | sed -n 's/^\(.*\): FAILED.*$/changed: \1/p')
[ -z "$changed" ] || {
    echo "$changed"
    exit 1
}
