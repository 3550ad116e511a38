# shellcheck shell=sh
# Sourced by check.sh.

# Ends with 1 where a file is not what SHA256SUMS says, before anything is compiled. Where there is no sha256sum, the compiled
# check finds it.
demand_files() {
    changed=$(LC_ALL=C sha256sum -c SHA256SUMS 2> /dev/null | sed -n 's/^\(.*\): FAILED.*$/changed: \1/p')
    [ -z "$changed" ] || {
        echo "$changed"
        exit 1
    }
}

# Runs check_set, which check.sh has, on the name of each golden set, and ends with the largest status; one that no check has is 1.
every_set() {
    status=0
    while read -r set; do
        check_set "$set"
        found=$?
        [ "$found" -le 2 ] || {
            echo "the check of $set ended with status $found"
            found=1
        }
        [ "$found" -le "$status" ] || status=$found
    done < golden/sets.txt
    [ "$status" = 0 ] && echo ok
    exit "$status"
}
