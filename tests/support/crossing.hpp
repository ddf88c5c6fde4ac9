// A small database that is really moved between two servers in this process, act by act: a test stands between any two
// acts of the window. Without a pooler and without looking for a quiet moment: safety rests on neither. One thread.
#pragma once

#include <optional>
#include <string>

#include "controller/deployment.hpp"
#include "controller/plans.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {

// Blue is a 15, which does not know by itself what would echo; green a 17. Tables: public.orders with a key and a
// sequence, public.log without a key, so that a row applied twice is there twice.
class SmallShop {
 public:
  // groups: as in a playbook; empty: one stream each way.
  explicit SmallShop(std::vector<std::vector<std::string>> groups = {});
  // Empty but for a few rows, prepared, blue serves; whatever was there before.
  void begin_anew();
  // For the program.
  std::filesystem::path playbook_file();

  Playbook playbook();
  VerifySettings verify;  // of crossings to come
  PostgresServer& server(const std::string& color) { return color == "blue" ? pair_.blue() : pair_.green(); }
  // On a session of its own, which is over when this returns. The fence does not see it as somebody else's.
  std::string ask(const std::string& color, const std::string& sql);
  Connection session(const std::string& color, const std::string& dbname = "shop");
  bool accepts_writes(const std::string& color);  // of a superuser: only the write fence is in its way
  std::string rows(const std::string& color);     // of the tables, as one text

 private:
  void prepare();
  std::vector<std::vector<std::string>> groups_;
  Pair pair_;
};

// A switch at work, from a controller of its own: opened in the journal, nothing done yet.
class Crossing {
 public:
  explicit Crossing(SmallShop& shop);
  // Every step from where it stands, including this one; past the line with the decision.
  void go_through(const std::string& name);
  void go_to_the_end() { go_through(""); }
  // What was begun above the line is taken back, as the runner does it; the plan is closed.
  void undo();
  // One step, whatever stands.
  std::string apply(const std::string& name, Deadline deadline = soon()) { return step(name).apply(deadline); }
  Step& step(const std::string& name);
  void decide();

  Deployment& deployment() { return d_; }
  Server& source() { return d_.blue(); }
  Server& target() { return d_.green(); }

 private:
  Deployment d_;
  std::optional<Plan> plan_;
  std::size_t next_ = 0;
};

}  // namespace verdigris::test
