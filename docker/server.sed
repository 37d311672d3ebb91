# Changes the configuration that NocoBase makes for the image's nginx; used by entrypoint.sh.
#
# NocoBase writes the log of requests. away.conf answers in the place of a NocoBase that does not.
s#access_log /var/log/nginx/[^;]*;#access_log off;\n    include /run/nocobase/away.conf;#
# NocoBase limits WebSockets by the address of the visitor, too.
s#proxy_set_header Connection "Upgrade";#&\n      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n      proxy_set_header X-Forwarded-Proto $upstream_x_forwarded_proto;#
# Pages of apps below the main app's address, which NocoBase's nginx has on its disk: who opens one of an app that cannot be opened
# reads that.
s#location ^~ \(.*\)files/ {#location ~ ^\1(?:files|apps)/ {#
