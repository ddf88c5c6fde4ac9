// A journal in memory with the same order of writes as the real one, for testing the runner's logic without servers. Each
// write is a point at which a test may kill the "process" by throwing Killed, before or after it.
#pragma once

#include <functional>
#include <utility>

#include "controller/phases.hpp"

namespace verdigris {

struct Killed {};  // not a std::exception on purpose: nothing may catch it

class MemoryJournal final : public Journal {
 public:
  // Called with the number of writes so far.
  std::function<void(int)> before = [](int) {};
  std::function<void(int)> after = [](int) {};
  // What the next decide_committed / decide_undone throws, once; the record stands if `stands`.
  std::function<void()> fail_next_decision;

  const std::vector<Record>& records() const override { return records_; }
  void open_plan(const Entry& plan, const std::string&, Deadline) override { append({plan}); }
  void write(const std::vector<Entry>& entries, Deadline) override { append(entries); }
  void decide_committed(const std::vector<Entry>& earlier, const Json& detail, Deadline) override {
    if (!standing_of(records_).open->is_committed) {
      if (fail_next_decision) std::exchange(fail_next_decision, nullptr)();
      append(with_last(earlier, {"committed", detail}));
    }
    point([this] { is_on_both = true; });
  }
  void decide_undone(const std::vector<Entry>& earlier, const Json& detail, const std::function<void(Transaction&)>& together, Deadline) override {
    if (fail_next_decision) std::exchange(fail_next_decision, nullptr)();
    point([&] {
      on_undone();
      (void)together;  // needs a server; the fake steps open the source through on_undone
      for (const auto& entry : with_last(earlier, {"undone", detail})) push(entry);
    });
  }
  void close_plan(const Json& detail, Deadline) override { append({{"finished", detail}}); }

  std::function<void()> on_undone = [] {};
  bool is_on_both = false;

 private:
  static std::vector<Entry> with_last(std::vector<Entry> entries, Entry last) {
    entries.push_back(std::move(last));
    return entries;
  }
  void push(const Entry& entry) {
    records_.push_back({1, static_cast<int>(records_.size()) + 1, "", "test", entry.event, entry.detail});
  }
  void append(const std::vector<Entry>& entries) {
    point([&] {
      for (const auto& entry : entries) push(entry);
    });
  }
  template <class Act>
  void point(Act act) {
    before(writes_);
    act();
    after(writes_++);
  }
  std::vector<Record> records_;
  int writes_ = 0;
};

}  // namespace verdigris
