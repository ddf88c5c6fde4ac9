// Somebody who can fill an empty database from another server's. Each leaves nothing behind that the next one would
// meet. Owned by one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/world.hpp"

namespace verdigris::bench {

inline constexpr const char* kCopied = "shop";  // the database, on both servers

class Copier {
 public:
  Copier(World& world, std::string contestant, std::string variant)
      : world_(world), contestant_(std::move(contestant)), variant_(std::move(variant)) {}
  virtual ~Copier() = default;
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  // Before the clock runs.
  virtual void make_ready() {}
  // What is measured: from an empty database to one with all rows, keys, indexes, constraints and analyzed. Throws
  // Error("bench.copy") with what the program said.
  virtual void copy() = 0;
  // Behind the measurement; the database on green is dropped by the caller.
  virtual void clean() {}

  // The database that it filled.
  virtual Connection filled() const { return world_.session("green", kCopied); }
  // Of servers that it started itself, since copy() began.
  double server_cpu_seconds() const { return server_cpu_seconds_; }

  const std::string& contestant() const { return contestant_; }
  const std::string& variant() const { return variant_; }
  std::int64_t peak_memory_kib() const { return peak_memory_kib_; }  // of its own process so far; 0: not looked at

 protected:
  // In an empty directory, with PATH; throws if it does not end with 0.
  void run(const std::vector<std::string>& argv);
  void analyze();

  World& world_;
  std::int64_t peak_memory_kib_ = 0;
  double server_cpu_seconds_ = 0;

 private:
  std::string contestant_, variant_;
};

// Beside the pg_dump that `prepare` would take: the oldest that can read blue.
std::string client_program(const std::string& name);

struct CopierChoice {
  bool is_quick = false;   // one variant of each
  bool has_floor = false;  // it has no batches: of many tiny tables it would say nothing
  std::set<std::string> only = {};  // of these names, and ours
};

// `prepare` with more of the section "replication", as YAML; and a plain subscription, as its documentation has it.
std::unique_ptr<Copier> prepare_with(World& world, std::string variant, std::string replication);
std::unique_ptr<Copier> native_subscription(World& world);
// Of prepare_with().
std::filesystem::path playbook_of(const World& world);

// Ours first. Throws Error("bench.contestant") for a name that nobody has.
std::vector<std::unique_ptr<Copier>> copiers(World& world, const CopierChoice& choice);

}  // namespace verdigris::bench
