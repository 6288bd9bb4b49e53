# What tests/faults.rs does on a host. Everything that a run can change is looked at, kept, and put back by these.
set -eu

# Calls that can change the machine, files or others: a service is restarted by a message.
mutating=openat,write,pwrite64,writev,sendmsg,sendto,ftruncate,fallocate,copy_file_range,fsync,fdatasync
mutating=$mutating,fchmod,fchmodat,fchown,fchownat,fsetxattr,fremovexattr,utimensat
mutating=$mutating,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir

agent() {
    "$@" holdfast-agent --state-dir /var/lib/killed --detailed-exitcodes apply --catalog "/root/$generation.bundle" \
        >/run/said 2>&1
}

# A run that changed something and failed nowhere, by its exit code.
changed() {
    [ "$1" = 2 ] || { cat /run/said >&2; return 1; }
}

look() {
    find /srv/app /etc/holdfast-sample.conf -type l -printf '%p %u %l\n'
    find /srv/app /etc/holdfast-sample.conf -type f | sort >/run/files
    xargs stat --format='%n %a %U' </run/files >/run/stats
    xargs sha256sum </run/files | cut -c-64 | paste -d ' ' /run/stats -
}

# The old state, which the service runs on, is kept aside.
prepare() {
    apt-get install -qq -y holdfast-sample >/dev/null
    mkdir /etc/systemd/system/holdfast-sample.service.d
    printf '[Unit]\nStartLimitIntervalSec=0\n' >/etc/systemd/system/holdfast-sample.service.d/often.conf
    systemctl daemon-reload
    generation=old
    agent env || changed $?
    mkdir /root/was
    cp -a /srv/app /etc/holdfast-sample.conf /var/lib/killed /root/was
}

restore() {
    rm -rf /srv/app /var/lib/killed
    cp -a /root/was/app /srv
    cp -a /root/was/killed /var/lib
    cp -a /root/was/holdfast-sample.conf /etc
    cp /root/was/holdfast-sample.conf /run/holdfast-sample/active
}

# Prints the calls of a whole run from the old state to the new one.
trace() {
    restore
    generation=new
    agent strace -f -y -s 0 -e signal=none -e trace=$mutating -o /run/trace || changed $?
    cat /run/trace
}

# Reads points, each as `name count`; kills a run at each, and has another one do the rest.
strike() {
    generation=new
    while read -r name count; do
        restore
        agent strace -f -y -s 0 -e signal=none -e trace="$name" -e inject="$name:signal=KILL:when=$count" -o /run/trace || true
        echo "== $name $count"
        echo "-- call $(grep -v '+++' /run/trace | tail -n 1 | cut -d ' ' -f 2- )"
        echo "-- after"
        look
        echo "-- running $(cat /run/holdfast-sample/active)"
        next=0
        agent env || next=$?
        echo "-- next $next"
        echo "-- last"
        look
        tries=0
        until cmp -s /etc/holdfast-sample.conf /run/holdfast-sample/active || [ $((tries += 1)) -gt 200 ]; do
            sleep 0.02
        done
        echo "-- active $(cat /run/holdfast-sample/active)"
        # Where one restart is lost many are, and each is waited for.
        cmp -s /etc/holdfast-sample.conf /run/holdfast-sample/active || break
    done
}

"$1"
