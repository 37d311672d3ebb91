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
COPY --chmod=755 docker/start.sh /app/start.sh
ENV APPEND_PRESET_BUILT_IN_PLUGINS=@nocobase/plugin-app-supervisor
# PM2 would start a process again that was told to end. The engine restarts containers.
ENV APP_LAUNCH_MODE=node
CMD ["/app/start.sh"]
