# Two stages on one base. The second only copies, so that it needs no shell: any base with Node can take its place.
# The base is the newest LTS by its tag, so that each build has its newest fixes. No digest is pinned here, where nobody
# would renew it: `npm run release` looks up the digest, and passes it as BASE.
ARG BASE=docker.io/library/node:26-slim

FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json LICENSE ./
COPY scripts/build.mjs scripts/
COPY scripts/image/lay-out.mjs scripts/image/
COPY src src/
RUN npm run --silent build
# The same lock file again, without what only building needs.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# The time of every file in the image, in seconds.
ARG SOURCE_DATE_EPOCH=0
RUN node scripts/image/lay-out.mjs

FROM ${BASE}
# What changes least comes first, so that a new version shares the layer of its packages with the one before.
COPY --from=build /src/out/packages/ /
COPY --from=build /src/out/program/ /
WORKDIR /app
ENV NODE_ENV=production
# For the commands that docker exec runs; serve is told by CMD.
ENV DESKGATE_CONFIG=/etc/deskgate/config/deskgate.yaml
# For the health check: where /live is. It is on ops.listen, and on ops.probes where that is set.
ENV DESKGATE_LIVE=http://127.0.0.1:9090/live
# A number, so that Kubernetes sees that it is not root. It writes nowhere: the root file system may be read-only.
USER 10001:10001
EXPOSE 8080 9091
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
  CMD ["node", "-e", "fetch(process.env.DESKGATE_LIVE).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve", "--config", "/etc/deskgate/config/deskgate.yaml"]
ARG BASE
# Without the digest that BASE may have.
ARG BASE_NAME=${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Deskgate" \
      org.opencontainers.image.description="A single sign-on gateway in front of a help desk" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_NAME}"
