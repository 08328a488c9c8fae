# The worker for machines without a GPU, with the models of the tier `small`.
#
#   npm run build:worker -- --cpu --tag registry.example/aima-worker:cpu --push
#
# Built like Dockerfile, which says why; a machine that was rented for its GPU refuses this image.
ARG NODE_IMAGE=node:22.23.3-bookworm-slim@sha256:c3de60bf2f9dd0ac6370e6117950ff62d6e339527e7472301c9c78a017978392

FROM ${NODE_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /worker

FROM base AS packages
COPY package.json package-lock.json /repository/
COPY gpu-worker/image/packages.json gpu-worker/image/trim-lock.ts /repository/gpu-worker/image/
RUN node /repository/gpu-worker/image/trim-lock.ts /worker && npm ci --omit=dev --ignore-scripts \
    && cd node_modules/onnxruntime-node/bin/napi-v6 && rm -rf darwin win32

FROM packages AS models
ARG TIER=small
COPY gpu-worker/models gpu-worker/models
COPY gpu-worker/image/fetch-models.ts gpu-worker/image/
RUN AIMA_MODELS_DIR=/models node gpu-worker/image/fetch-models.ts "${TIER}"

FROM base
RUN useradd --uid 10001 --create-home worker
COPY --from=packages /worker/node_modules node_modules
COPY --from=models --chown=worker /models /models
COPY package.json ./
COPY functions/core functions/core
COPY gpu-worker gpu-worker
ARG TIER=small
ENV NODE_ENV=production \
    AIMA_DEVICE=cpu \
    AIMA_MODEL_TIER=${TIER} \
    AIMA_MODELS_DIR=/models
USER worker
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["node", "gpu-worker/image/healthcheck.ts"]
CMD ["node", "gpu-worker/main.ts"]
