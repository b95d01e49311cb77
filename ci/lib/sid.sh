# shellcheck shell=bash
# What comes from Debian sid: a QEMU newer than Debian 12's, and packages that are only unpacked. Source common.sh first.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vcpr
sid_chroot=$cache/sid-chroot

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# set_up_sid_chroot: sid with QEMU in $sid_chroot, once. Fails with the reason in its last line.
set_up_sid_chroot() {
  [ ! -x "$sid_chroot/usr/bin/qemu-system-x86_64" ] || return 0
  as_root true 2>/dev/null || { echo "needs root, or sudo without a password, to set up QEMU" && return 1; }
  if [ ! -x /usr/sbin/debootstrap ]; then
    echo "installing debootstrap"
    as_root apt-get -qq update >/dev/null || true
    as_root apt-get -qqy install --no-install-recommends debootstrap >/dev/null ||
      { echo "debootstrap cannot be installed" && return 1; }
  fi
  echo "setting up Debian sid with QEMU in $sid_chroot: about 410 MB and 40 s, once"
  local new=$sid_chroot.new log=$sid_chroot.log
  mkdir -p "$cache"
  as_root rm -rf "$new" "$sid_chroot"
  as_root /usr/sbin/debootstrap --variant=minbase --include=qemu-system-x86 sid "$new" "$(debian_mirror)" >"$log" 2>&1 ||
    { echo "debootstrap failed: $(tail -n 1 "$log") (all of it: $log)" && return 1; }
  as_root mv "$new" "$sid_chroot"
}

# The chroot's QEMU, run from outside of it with its own libraries and firmware.
sid_qemu=("$sid_chroot/lib64/ld-linux-x86-64.so.2" --library-path "$sid_chroot/usr/lib/x86_64-linux-gnu"
  "$sid_chroot/usr/bin/qemu-system-x86_64" -L "$sid_chroot/usr/share/qemu" -L "$sid_chroot/usr/share/seabios")

# sid_qemu_is MAJOR MINOR: prints its version and succeeds when it is at least that.
sid_qemu_is() {
  local version
  version=$("${sid_qemu[@]}" --version | head -n 1)
  echo "$version"
  [[ $version =~ version\ ([0-9]+)\.([0-9]+) ]] || die "cannot tell which QEMU this is"
  [ $((BASH_REMATCH[1] * 100 + BASH_REMATCH[2])) -ge $(($1 * 100 + $2)) ]
}

# sid_apt FOLDER: makes apt-get read sid, with lists and settings of its own in FOLDER, verified by Debian's signatures;
# its options are in ${apt[@]} then. Fails with the reason in its last line.
sid_apt() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
  [ -e "$keyring" ] || { echo "no $keyring to verify Debian's packages with" && return 1; }
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo "apt has no Debian archive configured" && return 1; }
  mkdir -p "$1"/{state/lists/partial,cache/archives/partial}
  echo "deb [signed-by=$keyring] $mirror sid main" >"$1/sources.list"
  apt=(-qq -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State=$1/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$1/cache"
    -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o APT::Update::Error-Mode=any)
  apt-get "${apt[@]}" update >&2 || { echo "apt cannot reach or verify Debian sid" && return 1; }
}
