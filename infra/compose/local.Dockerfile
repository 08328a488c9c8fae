# Gateway and worker in one image, for docker-compose.local.yaml: the worker is started by the functions as a
# process, so it must be where they are. It lies beside dist/ as it does in a checkout.
ARG SERVER_IMAGE=aima:0.1.0
ARG WORKER_IMAGE=aima-worker:cpu

FROM ${SERVER_IMAGE} AS server

FROM ${WORKER_IMAGE}
COPY --from=server /aima/dist dist
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/services/gateway.mjs"]
