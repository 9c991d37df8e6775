#!/bin/sh
# Installs the programs that the tests talk to: a browser, PostgreSQL, and the like.
# Where that can't be done, the suites that need them say so and are left out; in CI that is a failure.
# With the word "venv" it installs only what Debian splits off Python: its virtual environments;
# with the word "ldap" only what the demonstration's LDAP directory needs.
set -eu

packages=""
need() { # need PACKAGE COMMAND...
	package=$1; shift
	for candidate in "$@"; do
		if [ -e "$candidate" ] || command -v "$candidate" >/dev/null 2>&1; then return 0; fi
	done
	packages="$packages $package"
}

need python3-venv "$(command -v python3 >/dev/null && python3 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null || echo missing-ensurepip)"
if [ "${1:-}" = ldap ]; then
	need slapd slapd /usr/sbin/slapd
elif [ "${1:-}" != venv ]; then
	need libatomic1 /usr/lib/*/libatomic.so.1 /lib/*/libatomic.so.1 # for the node inside playwright
	need chromium chromium chromium-browser google-chrome
	need postgresql /usr/lib/postgresql/*/bin/postgres postgres
	need xmlsec1 xmlsec1
	need nginx nginx /usr/sbin/nginx
	need systemd systemd-analyze
	need wrk wrk
	need openssl openssl
	need slapd /usr/sbin/slapd
	need ldap-utils ldapsearch
	need samba /usr/sbin/samba
	need samba-ad-dc /usr/lib/systemd/system/samba-ad-dc.service
	need samba-dsdb-modules /usr/lib/*/samba/ldb/samldb.so
	need samba-ad-provision /usr/share/samba/setup/provision.ldif
	need winbind /usr/sbin/winbindd
	need ldb-tools ldbmodify
	need krb5-user kinit
	need python3-gssapi /usr/lib/python3/dist-packages/gssapi
	need curl curl
	need softhsm2 softhsm2-util
fi

[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "Not installed here, and this is neither Debian nor Ubuntu:$packages" >&2
	exit 0
fi
if [ "$(id -u)" = 0 ]; then
	as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
	as_root="sudo -n"
else
	echo "Not installed here, and this user may not install:$packages" >&2
	exit 0
fi
echo "Installing$packages ..."
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
wait_for_lock="-o DPkg::Lock::Timeout=600"
if ! { $as_root apt-get $wait_for_lock update && \
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait_for_lock install -y --no-install-recommends $packages; } >"$log" 2>&1
then
	tail -n 20 "$log" >&2
	echo "These could not be installed:$packages" >&2
	exit 1
fi
rm -f "$log"
