# The server and the DBA's commands, with production dependencies only. Node runs the TypeScript as it is.
FROM node:24-slim
ENV NODE_ENV=production GRAPHILE_ENV=production HOST=0.0.0.0
WORKDIR /app

COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

# migrations/current.sql is a link to ../current.sql. Anyone who commits a migration is left with a file for their eyes alone.
COPY .gmrc current.sql ./
COPY migrations migrations
RUN chmod -R a+rX migrations
COPY common common
COPY postgres postgres
COPY server server
COPY lint lint
COPY dba dba

# The files stay root's: the process can read them and change none.
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "server/main.ts"]
