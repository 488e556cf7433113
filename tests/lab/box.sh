#!/bin/sh
# Runs a command where it has a lab's places to itself, so that starting and stopping a lab there cannot touch the one that runs.
# A private mount namespace hides the names of network namespaces, the lab's directory and its lock behind empty ones; a control group
# namespace does the same for groups. $1 names the groups; the rest is the command.
set -eu
name=$1
shift
groups=""
while read -r _ point kind options _; do
    case "$kind,$options," in
        cgroup2,* | cgroup,*,name=systemd,*)
            mkdir -p "$point/$name"
            echo $$ > "$point/$name/cgroup.procs"
            groups="$groups $point"
            ;;
    esac
done < /proc/self/mounts
mkdir -p /run/netns /run/curtilage /var/lib/curtilage
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --cgroup --propagation private sh -c '
    set -eu
    name=$1 groups=$2
    shift 2
    for point in $groups; do mount --bind "$point/$name" "$point"; done
    for place in /run/netns /run/curtilage /var/lib/curtilage; do mount -t tmpfs tmpfs "$place"; done
    exec "$@"
' box "$name" "$groups" "$@"
