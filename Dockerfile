# The image of the operator: tollhouse_core, tollhouse_dialects, tollhouse_identity and tollhouse_operator, and what they need; no proxy.
# Build from the top of the checkout: docker build .
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python3 -m venv /opt/tollhouse
WORKDIR /source
# Dependencies alone first: their layer stays valid while the source changes.
COPY pyproject.toml requirements.lock ./
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
      print(*project["dependencies"], *project["optional-dependencies"]["operator"], *project["optional-dependencies"]["saml"], sep="\n")' > wanted.txt \
 && /opt/tollhouse/bin/python -m pip install -q -r wanted.txt -c requirements.lock
COPY README.md LICENSE NOTICE ./
COPY operator/src operator/src
COPY proxy_image/src/tollhouse_core proxy_image/src/tollhouse_core
COPY proxy_image/src/tollhouse_dialects proxy_image/src/tollhouse_dialects
COPY proxy_image/src/tollhouse_identity proxy_image/src/tollhouse_identity
RUN /opt/tollhouse/bin/python -m pip install -q --no-deps . \
 && /opt/tollhouse/bin/python -m pip uninstall -q -y pip \
 && /opt/tollhouse/bin/python -m compileall -q /opt/tollhouse/lib \
 && /opt/tollhouse/bin/python -c 'import tollhouse_operator'

FROM ${BASE_IMAGE}
COPY --from=build /opt/tollhouse /opt/tollhouse
COPY --from=build /source/LICENSE /source/NOTICE /usr/share/doc/tollhouse/
ENV PATH=/opt/tollhouse/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numbers, so that Kubernetes can prove runAsNonRoot without reading the image.
USER 65532:65532
EXPOSE 8080 9443
ENTRYPOINT ["python", "-m", "tollhouse_operator"]
