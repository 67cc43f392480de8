#include "repo_reader/damage.h"

namespace flakebisect::repo_reader {

void report_damage(EventSink& sink, std::string_view data, std::string_view message) {
  Event event;
  event.test_id = parser_test_id;
  event.eof = true;
  event.file_name = "Packet data";
  event.file_bytes = data;
  event.mime_type = "application/octet-stream";
  sink.on_event(event);
  event.status = Status::fail;
  event.file_name = "Parser Error";
  event.file_bytes = message;
  event.mime_type = "text/plain;charset=utf8";
  sink.on_event(event);
}

void report_text(EventSink& sink, std::string_view text) {
  if (text.empty()) return;
  Event event;
  event.file_name = "stdout";
  event.file_bytes = text;
  sink.on_event(event);
}

}  // namespace flakebisect::repo_reader
