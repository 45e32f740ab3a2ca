#!/bin/sh
# Makes the sample media of the player, which are the project's own work: clock.webm (VP9 and Opus: a running clock and
# a tick each second) and tune.webm (Opus: eight bars on sine waves). Needs ffmpeg and the font DejaVu (Debian: ffmpeg,
# fonts-dejavu-core). Run it in this folder.
set -eu

font=/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
seconds=60
quiet="-hide_banner -loglevel error -y"

# A tick each second, a higher one each tenth.
tick="0.35*sin(2*PI*if(eq(mod(floor(t),10),0),1320,880)*t)*exp(-28*mod(t,1))"

# shellcheck disable=SC2086
ffmpeg $quiet -f lavfi -i "color=c=0x1c1a27:s=640x360:r=10:d=$seconds" -f lavfi -i "color=c=0xffb31a:s=640x12:r=10:d=$seconds" \
  -f lavfi -i "aevalsrc='$tick':s=48000:d=$seconds" -filter_complex "
    [0][1]overlay=x='-W+W*t/$seconds':y=348:eval=frame,
    drawtext=fontfile=$font:text='%{pts\:gmtime\:0\:%M\\\\\:%S}':fontcolor=0xf5efe3:fontsize=150:x=(w-tw)/2:y=92,
    drawtext=fontfile=$font:text='wampflask':fontcolor=0xffb31a:fontsize=30:x=(w-tw)/2:y=270[v]" \
  -map "[v]" -map 2:a -c:v libvpx-vp9 -b:v 0 -crf 44 -g 50 -row-mt 1 -deadline good -cpu-used 2 -pix_fmt yuv420p \
  -c:a libopus -b:a 20k -ac 1 -map_metadata -1 -metadata title="Running clock" clock.webm

# The n-th of 32 notes of a quarter second's decay each, over a bass on each eighth.
note="261.63*pow(2,(st(0,mod(floor(2*t),8));if(eq(ld(0),0),0,if(eq(ld(0),1),4,if(eq(ld(0),2),7,if(eq(ld(0),3),12,if(eq(ld(0),4),9,if(eq(ld(0),5),7,if(eq(ld(0),6),4,2))))))))/12)"
bass="65.41*pow(2,if(gte(mod(t,8),4),5,0)/12)"
tune="0.25*sin(2*PI*$note*mod(t,0.5))*exp(-5*mod(t,0.5))+0.2*sin(2*PI*$bass*t)*exp(-2*mod(t,1))"

# shellcheck disable=SC2086
ffmpeg $quiet -f lavfi -i "aevalsrc='$tune':s=48000:d=16" -c:a libopus -b:a 24k -ac 1 \
  -map_metadata -1 -metadata title="Eight bars" tune.webm
