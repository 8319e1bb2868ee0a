FROM python:3.11-slim
WORKDIR /app
COPY services/common/requirements.txt services/common/requirements.txt
COPY services/layout/requirements.txt services/layout/requirements.txt
COPY constraints.txt constraints.txt
RUN pip install --no-cache-dir -c constraints.txt -r services/common/requirements.txt -r services/layout/requirements.txt
COPY protos protos
COPY services/common services/common
COPY services/layout services/layout
RUN useradd --uid 10001 planogram && mkdir var && chown planogram var
USER planogram
ENV PYTHONPATH=/app:/app/protos PYTHONUNBUFFERED=1 PLANOGRAM_LAYOUT_LISTEN=0.0.0.0:7070 PLANOGRAM_LAYOUT_METRICS_LISTEN=0.0.0.0:9070 NUMBA_CACHE_DIR=/app/var/numba
EXPOSE 7070 9070
HEALTHCHECK --start-period=120s CMD ["python", "-m", "services.common.probe", "127.0.0.1:7070"]
CMD ["python", "-m", "services.layout"]
