"""Users, roles, sign-in, sessions, tokens and the audit trail, without pages."""
