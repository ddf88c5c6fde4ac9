// What clients remember of their writes: one line per write that was acknowledged, or whose outcome is unknown because
// the session was lost in COMMIT. Appended by several threads; each buffers its own lines and hands them over about
// once a second and at the end. A line: a|u <writer> <n> <seq value> <monotonic ns>.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

namespace verdigris {

// Who writes: 1 to 99 through the pooler, the rest straight to a server.
inline constexpr int kDirectToBlue = 101;   // and 102: as superuser
inline constexpr int kDirectToGreen = 201;  // and 202

struct LedgerEntry {
  bool is_acknowledged = false;  // else unknown
  int writer = 0;
  std::int64_t n = 0;
  std::int64_t seq_value = 0;  // 0: not known either
  std::int64_t monotonic_ns = 0;
};

class LedgerFile {
 public:
  explicit LedgerFile(const std::filesystem::path& file);  // appends; throws Error("file")
  void append(const std::string& lines);

 private:
  std::mutex mutex_;
  std::filesystem::path file_;
  std::ofstream out_;
};

// One thread's lines on their way.
class LedgerBuffer {
 public:
  explicit LedgerBuffer(LedgerFile& file) : file_(file) {}
  ~LedgerBuffer();
  LedgerBuffer(const LedgerBuffer&) = delete;
  LedgerBuffer& operator=(const LedgerBuffer&) = delete;
  // Call it right after the answer to COMMIT: the time is taken here.
  void add(bool is_acknowledged, int writer, std::int64_t n, std::int64_t seq_value);

 private:
  void flush();
  LedgerFile& file_;
  std::string lines_;
  std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
};

// Throws Error("file") or Error("ledger.line") naming the line.
std::vector<LedgerEntry> read_ledger(const std::filesystem::path& file);

}  // namespace verdigris
