#!/bin/sh
# Run by `meson install`: install_config.sh SOURCE puts it to /etc/zoetrope/zoetrope.yaml unless there is one, which is
# the admin's. An installation into a home directory goes without.
target=${DESTDIR:-}/etc/zoetrope/zoetrope.yaml
if [ -e "$target" ] || [ -L "$target" ]; then
	echo "Keeping $target"
elif mkdir -p "${target%/*}" 2>/dev/null && [ -w "${target%/*}" ]; then
	echo "Installing $1 to $target"
	sed "s,@prefix@,$MESON_INSTALL_PREFIX," "$1" >"$target" && chmod 0644 "$target"
else
	echo "Not installing $target: no permission"
fi
