# Concatenates PARTS into OUTPUT, the extension's install script.
file(WRITE ${OUTPUT} "\\echo Use \"CREATE EXTENSION audiostore\" to load this file. \\quit\n")
foreach(part IN LISTS PARTS)
  file(READ ${part} text)
  file(APPEND ${OUTPUT} "\n${text}")
endforeach()
