"""The OpenAPI document and the schemas that it describes."""
