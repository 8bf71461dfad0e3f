"""Operations: the SelfPrivacy REST API 1.2.0, and what is asked beyond it below `/api/host`."""
