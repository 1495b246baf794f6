#!/bin/bash
# Entry point of the image, after jupyter/docker-stacks' start.sh: run the
# command as the right user. Started as root (--user root) it gives the user
# jovyan the numbers in NB_UID and NB_GID and goes on as that user.
set -euo pipefail

die() { echo "start.sh: $*" >&2; exit 1; }

[ $# -gt 0 ] || set -- bash

if [ "$(id -u)" = 0 ]; then
	uid=${NB_UID:-$(id -u jovyan)} gid=${NB_GID:-$(id -g jovyan)}
	[[ $uid =~ ^[1-9][0-9]{0,8}$ ]] || die "NB_UID=$uid: want a number from 1 to 999999999; the notebooks never run as root"
	[[ $gid =~ ^[0-9]{1,9}$ ]] || die "NB_GID=$gid: want a number from 0 to 999999999"
	[ "${NB_USER:-jovyan}" = jovyan ] || echo "start.sh: NB_USER=$NB_USER is ignored: the user is always jovyan" >&2
	old=$(id -u jovyan)
	if [ "$uid:$gid" != "$old:$(id -g jovyan)" ]; then
		getent group "$gid" >/dev/null || groupadd -g "$gid" jovyan-group
		# Not usermod: it would change the owner of files in mounted folders too.
		sed -i "s/^jovyan:x:[0-9]*:[0-9]*:/jovyan:x:$uid:$gid:/" /etc/passwd
		find /home/jovyan -xdev -uid "$old" -exec chown -h "$uid:$gid" {} +
	fi
	export HOME=/home/jovyan USER=jovyan LOGNAME=jovyan
	exec setpriv --reuid="$uid" --regid="$gid" --init-groups --inh-caps=-all -- "$0" "$@"
fi

if [ -n "${NB_UID:-}" ] && [ "$NB_UID" != "$(id -u)" ]; then
	echo "start.sh: running as user $(id -u): NB_UID=$NB_UID takes effect only with --user root" >&2
fi
if [ ! -w "$HOME" ]; then
	echo "start.sh: user $(id -u) cannot write into $HOME, so /tmp/home is the home folder; add --group-add users to the command, or use --user root -e NB_UID=$(id -u)" >&2
	export HOME=/tmp/home
	mkdir -p "$HOME"
	[ "$PWD" != /home/jovyan ] || cd "$HOME"
fi
[ ! -d /home/jovyan/work ] || [ -w /home/jovyan/work ] ||
	echo "start.sh: user $(id -u) cannot write into /home/jovyan/work; its owner is $(stat -c %u /home/jovyan/work): use --user root -e NB_UID=$(stat -c %u /home/jovyan/work)" >&2

# A fresh copy of the notebooks, unless an earlier one is in a mounted folder.
if [ -z "$(ls -A "$HOME/notebooks" 2>/dev/null)" ]; then
	mkdir -p "$HOME/notebooks" && cp -r --no-preserve=mode,ownership /opt/camlab/notebooks/. "$HOME/notebooks/" ||
		echo "start.sh: the notebooks could not be copied into $HOME/notebooks; they are in /opt/camlab/notebooks" >&2
fi
exec "$@"
