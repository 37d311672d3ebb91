# The official NocoBase image with this plugin. The plugin is a real directory in node_modules, because a volume at
# /app/nocobase/storage hides storage/plugins, and NocoBase's download of licensed plugins replaces the content of that
# folder but does not change a directory in node_modules.
ARG NOCOBASE_IMAGE=nocobase/nocobase:2.2.15
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /plugin
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build \
  && npm pack --ignore-scripts --pack-destination /tmp \
  && mkdir /package \
  && tar -xzf /tmp/nocobase-plugin-app-supervisor-*.tgz --strip-components=1 -C /package

FROM ${NOCOBASE_IMAGE}
# An image that unpacks NocoBase only when it starts would hide the plugin: fail the build instead.
RUN test -f /app/nocobase/package.json
COPY --from=build /package /app/nocobase/node_modules/@nocobase/plugin-app-supervisor
COPY --chmod=755 docker/start.sh docker/entrypoint.sh /app/
COPY --chmod=644 docker/nginx.conf docker/server.sed docker/until-ready.js /app/
COPY --chmod=644 docker/away /app/away/
# Code is read-only: the container runs as a user that owns nothing but its storage. The two files of NocoBase that its
# start writes outside of that are links to /run/nocobase, which start.sh fills. A volume at /keys has the secrets of a Worker that
# joins: it becomes this user's. A door has another user, and a folder for itself and HAProxy.
RUN cd /app/nocobase \
  && client=node_modules/@nocobase/app/dist/client \
  && { test -f $client/index.html.tpl || cp $client/index.html $client/index.html.tpl; } \
  && ln -sf /run/nocobase/index.html $client/index.html \
  && ln -sf /run/nocobase/tsconfig.paths.json tsconfig.paths.json \
  && mkdir -p storage /run/nocobase /keys /var/lib/nocobase-door \
  && chown -R 1000:1000 storage /run/nocobase /keys \
  && chown 1001:1001 /var/lib/nocobase-door \
  && chmod 700 /keys /var/lib/nocobase-door
ENV APPEND_PRESET_BUILT_IN_PLUGINS=@nocobase/plugin-app-supervisor
# PM2 would start a process again that was told to end. The engine restarts containers.
ENV APP_LAUNCH_MODE=node
# A Worker that can host no more ends, for the same reason.
ENV APP_SUPERVISOR_EXIT_WHEN_SPENT=1
ENV HOME=/run/nocobase TMPDIR=/app/nocobase/storage/.tmp
USER 1000:1000
CMD ["/app/start.sh"]
