#!/bin/sh
# The first process of a sibling: a small server machine. What differs between siblings comes from
# the kernel's command line: sibling.name, sibling.seed and sibling.work.
export PATH=/bin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

for word in $(cat /proc/cmdline); do
  case $word in
  sibling.name=*) name=${word#*=} ;;
  sibling.seed=*) seed=${word#*=} ;;
  sibling.work=*) work=${word#*=} ;;
  esac
done
library=$(echo /usr/lib/python3.*)

hostname "$name"
printf '127.0.0.1 localhost\n10.20.0.%d %s\n' "$seed" "$name" > /etc/hosts
while read -r module; do insmod "/modules/$module"; done < /modules/order
ip link set lo up
ip link set eth0 up && ip addr add "10.20.0.$seed/24" dev eth0
syslogd -s 400
klogd
crond -c /etc/crontabs
httpd -p 80 -h "$library"
python3 /service.py "$seed" &

round=0
while :; do
  round=$((round + 1))
  case $work in
  archive)
    # Packs another part of the library each time.
    find "$library" -type f -name '*.py' | tail -n +$((round * 7 % 90)) | head -n 40 | xargs cat |
      gzip -1 > /tmp/archive.$((round % 4)).gz
    ;;
  report)
    # Counts words and searches, as nightly reports do.
    for file in argparse decimal typing; do
      awk '{for (i = 1; i <= NF; i++) count[$i]++}
        END {for (word in count) if (count[word] > 9) print count[word], word}' \
        "$library/$file.py" | sort -rn > "/tmp/report.$file"
    done
    grep -rl "import $([ $((round % 2)) = 0 ] && echo os || echo sys)" "$library/json" \
      > /tmp/report.imports
    ;;
  serve)
    # Its own client: pages by HTTP, a line in the log for each.
    for file in ast inspect tarfile socket; do
      wget -q -O "/tmp/page.$file" "http://127.0.0.1/$file.py"
      logger -t client "round $round: $file, $(wc -c < "/tmp/page.$file") bytes"
    done
    ;;
  index)
    # A Perl program that builds tables in memory and writes them out.
    perl -e 'for my $f (glob "$ARGV[0]/[a-m]*.py") { open my $in, "<", $f or next;
        while (<$in>) { push @{$at{$1}}, "$f:$." while /\b([a-z_]{5,})\b/g } }
      print "$_ ", scalar @{$at{$_}}, "\n" for sort keys %at' "$library" > "/tmp/index.$((round % 2))"
    ;;
  *)
    sleep 2
    ;;
  esac
  logger -t work "round $round of $work done"
  echo "ROUND $round" > /dev/console
done
