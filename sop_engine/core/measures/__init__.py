"""What the quoted figures of the field mean on a shop's own data: definitions, arithmetic and words."""
