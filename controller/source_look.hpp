// What is asked of the source while the target still applies: whether any foreign session is left, and, once none is, how
// far its sequences are, which then is final. Uses the control session of the source, one question at a time; nobody else
// may ask there until finish() has returned or this has been destroyed. One thread.
#pragma once

#include <optional>
#include <vector>

#include "controller/bypass.hpp"
#include "replication/sequences.hpp"
#include "replication/server.hpp"

namespace verdigris {

class SourceLook {
 public:
  SourceLook(Source source, SequenceReader& reader) : source_(source), reader_(reader) {}
  // Takes an answer that is still under way, within 0.3 s: undoing runs on that session.
  ~SourceLook();
  SourceLook(const SourceLook&) = delete;
  SourceLook& operator=(const SourceLook&) = delete;

  // Asks the first question; waits for nothing. nobody_left: it is known already that no foreign session is.
  void begin(bool nobody_left, Deadline deadline);
  // Takes an answer that has come and asks the next question; waits for nothing.
  void advance(Deadline deadline);
  // Waits for what was asked. The positions, if no foreign session was seen; else nothing: look again.
  std::optional<std::vector<SequencePosition>> finish(Deadline deadline);

 private:
  enum class Asked { nothing, sessions, sequences };
  void take(Deadline deadline);
  void ask_sequences(Deadline deadline);
  Source source_;
  SequenceReader& reader_;
  Asked asked_ = Asked::nothing;
  std::optional<std::vector<SequencePosition>> positions_;
};

}  // namespace verdigris
