"""Operations: requests in, answers out."""
