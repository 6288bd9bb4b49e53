# undo.sh FOLDER: takes down what the ledgers under FOLDER record, newest first, and then FOLDER itself.
#
# A lab's folder holds a ledger (`made`) and those of its hosts (`hosts/*/made`); a host's folder its own.
# Lines are written before the thing is made, so any thing may be missing; nothing that is not written
# there is touched. What could not be undone keeps its ledger for the next attempt, and the status is 1.
set -u
folder=$1

# The kernel lets go of a mount or a group a moment after its last process ended.
soon() {
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.05
    done
}

kill_group() {
    [ -e "$1/cgroup.kill" ] || return 0
    echo 0 >"$1/cgroup.freeze"
    echo 1 >"$1/cgroup.kill"
}

group_is_empty() { ! grep -qs '^populated 1' "$1/cgroup.events"; }
remove_group() { [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} +; }
unmount() { ! mountpoint -q "$1" || umount "$1"; }

undo() {
    case $1 in
        mount) soon unmount "$2" ;;
        namespace) [ ! -e "/run/netns/$2" ] || soon ip netns delete "$2" ;;
        cgroup) soon group_is_empty "$2" && soon remove_group "$2" ;;
        folder) [ ! -d "$2" ] || rmdir "$2" ;;
        *) false ;;
    esac
}

ledgers=$(find "$folder"/hosts/*/made "$folder/made" 2>/dev/null)
for ledger in $ledgers; do
    while read -r kind name; do
        [ "$kind" != cgroup ] || kill_group "$name"
    done <"$ledger"
done

left=0
for ledger in $ledgers; do
    lines=$(tac "$ledger")
    while read -r kind name; do
        [ -n "$kind" ] || continue
        undo "$kind" "$name" || { echo "left: $kind $name" >&2; left=1; }
    done <<END
$lines
END
done
[ "$left" = 0 ] && rm -rf --one-file-system "$folder"
