FROM python:3.11-slim
WORKDIR /app
COPY services/common/requirements.txt services/common/requirements.txt
COPY services/policy/requirements.txt services/policy/requirements.txt
COPY services/common/onnxruntime-cpu.txt services/common/onnxruntime-cpu.txt
COPY constraints.txt constraints.txt
RUN pip install --no-cache-dir -c constraints.txt -r services/common/requirements.txt -r services/policy/requirements.txt -r services/common/onnxruntime-cpu.txt
COPY protos protos
COPY services/common services/common
COPY services/policy services/policy
RUN useradd --uid 10001 planogram && mkdir var && chown planogram var
USER planogram
ENV PYTHONPATH=/app:/app/protos PYTHONUNBUFFERED=1 PLANOGRAM_POLICY_LISTEN=0.0.0.0:7073 PLANOGRAM_POLICY_METRICS_LISTEN=0.0.0.0:9073 NUMBA_CACHE_DIR=/app/var/numba
EXPOSE 7073 9073
HEALTHCHECK --start-period=120s CMD ["python", "-m", "services.common.probe", "127.0.0.1:7073"]
CMD ["python", "-m", "services.policy"]
