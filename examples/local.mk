# Files of examples
EXTRA_DIST += %D%/debian.xml
