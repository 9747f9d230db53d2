# Files of schemas
