# asmr-classify for containers: no root, and nothing is written.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY asmr_classify ./asmr_classify
COPY models ./models
RUN python -m venv /opt/asmr-classify \
 && /opt/asmr-classify/bin/pip install --no-cache-dir ".[cloud,dask,parquet]"

FROM python:3.12-slim
COPY --from=build /opt/asmr-classify /opt/asmr-classify
ENV PATH=/opt/asmr-classify/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
WORKDIR /recordings
ENTRYPOINT ["asmr-classify"]
CMD ["--help"]
