#include "controller/sandbox/ledger_file.hpp"

#include <fmt/format.h>

#include <sstream>

#include "replication/errors.hpp"

namespace verdigris {

using Clock = std::chrono::steady_clock;

LedgerFile::LedgerFile(const std::filesystem::path& file) : file_(file), out_(file, std::ios::app) {
  if (!out_) throw Error("file", file.string() + ": cannot write");
}

void LedgerFile::append(const std::string& lines) {
  const std::lock_guard lock(mutex_);
  out_ << lines;
  out_.flush();
  // A ledger with a gap would accuse the servers of inventing rows.
  if (!out_) throw Error("file", file_.string() + ": cannot write");
}

LedgerBuffer::~LedgerBuffer() {
  try {
    flush();
  } catch (const std::exception&) {
    // The check finds rows that nobody wrote and says so.
  }
}

void LedgerBuffer::add(bool is_acknowledged, int writer, std::int64_t n, std::int64_t seq_value) {
  const auto now = Clock::now();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  lines_ += fmt::format("{} {} {} {} {}\n", is_acknowledged ? 'a' : 'u', writer, n, seq_value, ns);
  if (now - flushed_ >= std::chrono::seconds(1)) flush();
}

void LedgerBuffer::flush() {
  file_.append(lines_);
  lines_.clear();
  flushed_ = Clock::now();
}

std::vector<LedgerEntry> read_ledger(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error("file", file.string() + ": cannot read");
  std::vector<LedgerEntry> result;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    char kind = 0;
    LedgerEntry entry;
    words >> kind >> entry.writer >> entry.n >> entry.seq_value >> entry.monotonic_ns;
    if (!words || (kind != 'a' && kind != 'u'))
      throw Error("ledger.line", fmt::format("{}:{}: not a line of a ledger", file.string(), result.size() + 1));
    entry.is_acknowledged = kind == 'a';
    result.push_back(entry);
  }
  return result;
}

}  // namespace verdigris
