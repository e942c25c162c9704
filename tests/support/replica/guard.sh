# Ends the servers of a test program when that program is gone, however it ended, and deletes their
# folder.
#
#   sh guard.sh FOLDER
#
# The program holds the other end of standard input; its closing is the sign. Servers are found by
# the `postmaster.pid` in their data folders.
folder=$1
cat >/dev/null

# A server's own process, unless it is dead already or the number is another program's by now.
server_of() {
  pid=$(head -n 1 "$1" 2>/dev/null) || return 1
  case $(ps -ww -o stat= -o args= -p "$pid" 2>/dev/null) in
    '' | Z*) return 1 ;;
    *"$folder"*) echo "$pid" ;;
    *) return 1 ;;
  esac
}

running() {
  for file in "$folder"/*/*/postmaster.pid; do
    server_of "$file"
  done
}

# At once, as if the machine had failed: nothing of it is needed again.
for pid in $(running); do
  kill -CONT "$pid" 2>/dev/null
  kill -QUIT "$pid" 2>/dev/null
done
waited=0
while [ -n "$(running)" ]; do
  if [ "$waited" -ge 100 ]; then
    for pid in $(running); do kill -KILL "$pid" 2>/dev/null; done
  fi
  [ "$waited" -ge 150 ] && break
  waited=$((waited + 1))
  sleep 0.1
done
# A server's logger may write its last line meanwhile.
rm -rf "$folder" 2>/dev/null || { sleep 0.5; rm -rf "$folder"; }
