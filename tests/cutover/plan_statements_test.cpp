// What `plan` printed is what a command sends, by the servers' own logs: everything printed for the window and behind it is
// found there in its order, of prepare and finish all that is certain; and nothing is found there that changes something and
// was not printed. Nor does `plan` change anything.
#include <algorithm>
#include <fstream>

#include "tests/support/pgbouncer_driver.hpp"
#include "tests/support/shop.hpp"

namespace verdigris::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

std::string squeezed(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t';
    if (!is_blank) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// The text around the <placeholders>; an operator such as <> is none.
Texts pieces_of(const std::string& printed) {
  Texts pieces(1);
  const std::string text = squeezed(printed);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto end = text.find('>', at);
    const bool is_place = text[at] == '<' && end != std::string::npos && end > at + 1 &&
                          std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1, text.begin() + static_cast<std::ptrdiff_t>(end),
                                      [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == ' ' || c == ','; });
    if (!is_place) {
      pieces.back() += text[at];
      continue;
    }
    pieces.emplace_back();
    at = end;
  }
  return pieces;
}

bool is_said_by(const std::string& logged, const std::string& printed) {
  const Texts pieces = pieces_of(printed);
  if (pieces.size() == 1) return logged == pieces.front();
  if (!logged.starts_with(pieces.front())) return false;
  std::size_t at = pieces.front().size();
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const auto found = logged.find(pieces[i], at);
    if (found == std::string::npos) return false;
    at = found + pieces[i].size();
  }
  return pieces.back().empty() || logged.ends_with(pieces.back());
}

bool is_changing(const std::string& statement) {
  for (const char* word : {"INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "DROP ", "LOCK ", "TRUNCATE ", "COPY ", "ANALYZE", "REFRESH ", "COMMENT ", "CREATE_REPLICATION_SLOT ", "GRANT ", "REVOKE ", "CHECKPOINT"})
    if (statement.starts_with(word)) return true;
  for (const char* word : {"setval(", "pg_logical_emit_message", "close_access(", "open_access(", "pg_replication_origin_advance",
                           "pg_replication_slot_advance", "pg_create_logical", "pg_drop_replication", "pg_terminate_backend",
                           "CREATE OR REPLACE", "LOCK TABLE", "INSERT INTO"})
    if (statement.find(word) != std::string::npos) return true;
  return false;
}

// pg_dump and pg_restore are programs of their own, which plan names.
bool is_of_ours(const std::string& entry) {
  return entry.find("verdigris/shop/") != std::string::npos && entry.find("verdigris/shop/schema") == std::string::npos;
}

// Statements of the controller's sessions from that place of the log on.
Texts statements_since(const std::filesystem::path& log, std::size_t offset) {
  std::string text = read(log).substr(offset);
  Texts entries;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("\t") && !entries.empty()) entries.back() += " " + line.substr(1);
    else entries.push_back(line);
  }
  Texts out;
  for (const auto& entry : entries) {
    if (!is_of_ours(entry)) continue;
    auto begin = entry.find("LOG:  statement: ");
    if (begin != std::string::npos) {
      out.push_back(squeezed(entry.substr(begin + 17)));
    } else if (begin = entry.find("LOG:  execute "); begin != std::string::npos) {
      out.push_back(squeezed(entry.substr(entry.find(": ", begin + 14) + 2)));
    } else if (begin = entry.find("received replication command: "); begin != std::string::npos) {
      out.push_back(squeezed(entry.substr(begin + 30)));
    }
  }
  return out;
}

class PlanStatements : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (have_postgres(15) && have_postgres(17)) shop_ = std::make_unique<Shop>(std::vector<std::pair<std::string, std::string>>{{"log_statement", "all"}, {"log_replication_commands", "on"}});
  }
  static void TearDownTestSuite() { shop_.reset(); }
  void SetUp() override {
    NEED_POSTGRES(15);
    NEED_POSTGRES(17);
  }

  void begin_logs() {
    for (const char* color : {"blue", "green"}) offsets_[color] = read(shop_->server(color).log()).size();
  }
  Texts log_of(const std::string& color) { return statements_since(shop_->server(color).log(), offsets_[color]); }

  // Of a side, in order; is_wanted chooses steps.
  template <class Wanted>
  static Texts printed(const json& plan, const std::string& color, Wanted is_wanted) {
    Texts out;
    for (const auto& step : plan.at("steps")) {
      if (!is_wanted(step.value("step", ""))) continue;
      for (const auto& one : step.at("statements")) add_said(out, one, color);
    }
    return out;
  }
  // One for each table that <table> stands for, if these are known.
  static void add_said(Texts& out, const json& one, const std::string& color) {
    if (one.value("on", "") != color || !one.contains("sql")) return;
    const std::string text = one.value("sql", "");
    const Texts each = one.value("each", Texts{});
    const bool is_known = !each.empty() && each.front().starts_with('"');
    if (!is_known) out.push_back(text);
    if (is_known)
      for (const auto& table : each) out.push_back(replaced(text, "<table>", table));
  }

  void expect_in_order(const json& plan, const std::string& color);
  void expect_nothing_unsaid(const json& plan, const std::string& color);
  void expect_said_and_done(const std::string& command);
  void expect_all_is_sent(const json& plan, const std::string& color);
  void expect_carried_out(std::vector<std::string> plan_arguments, std::vector<std::string> command);

  inline static std::unique_ptr<Shop> shop_;
  std::map<std::string, std::size_t> offsets_;
};

// From the fence on. Sequences are set only if one is behind by then.
void PlanStatements::expect_in_order(const json& plan, const std::string& color) {
  bool is_in_window = false;
  const auto wanted = printed(plan, color, [&](const std::string& step) {
    is_in_window |= step == "fence_source";
    return is_in_window && step != "copy_sequences";
  });
  ASSERT_GT(wanted.size(), 3U) << plan;
  const auto logged = log_of(color);
  auto at = logged.begin();
  for (const auto& text : wanted) {
    const auto found = std::find_if(at, logged.end(), [&](const std::string& one) { return is_said_by(one, text); });
    EXPECT_NE(found, logged.end()) << color << " was not sent, or not in this order: " << text;
    if (found != logged.end()) at = found + 1;
  }
}

void PlanStatements::expect_nothing_unsaid(const json& plan, const std::string& color) {
  auto known = printed(plan, color, [](const std::string&) { return true; });
  for (const char* around : {"before", "records", "after"})
    if (plan.contains(around))
      for (const auto& one : plan.at(around)) add_said(known, one, color);
  int changing = 0;
  for (const auto& statement : log_of(color)) {
    if (!is_changing(statement)) continue;
    ++changing;
    EXPECT_TRUE(std::ranges::any_of(known, [&](const std::string& text) { return is_said_by(statement, text); }))
        << color << " was sent what plan does not say: " << statement;
  }
  EXPECT_GT(changing, 5) << color;
}

// But for what is not known before: it stands in <...>.
void PlanStatements::expect_all_is_sent(const json& plan, const std::string& color) {
  auto certain = printed(plan, color, [](const std::string&) { return true; });
  for (const char* around : {"before", "after"})
    if (plan.contains(around))
      for (const auto& one : plan.at(around)) add_said(certain, one, color);
  const auto logged = log_of(color);
  for (const auto& text : certain) {
    if (pieces_of(text).size() > 1) continue;
    const bool is_sent = std::ranges::any_of(logged, [&](const std::string& one) { return is_said_by(one, text); });
    EXPECT_TRUE(is_sent) << color << " was not sent: " << text;
  }
}

void PlanStatements::expect_carried_out(std::vector<std::string> plan_arguments, std::vector<std::string> command) {
  plan_arguments.insert(plan_arguments.begin(), "plan");
  begin_logs();
  const auto answer = shop_->command(plan_arguments);
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  for (const char* color : {"blue", "green"})
    for (const auto& statement : log_of(color)) EXPECT_FALSE(is_changing(statement)) << "plan on " << color << ": " << statement;
  EXPECT_EQ(answer.json.dump().find("cannot be told"), std::string::npos) << answer.json;
  EXPECT_EQ(shop_->command(plan_arguments).json.value("digest", "a"), answer.json.value("digest", "b"));
  begin_logs();
  const auto done = shop_->command(command);
  ASSERT_EQ(done.exit_code, 0) << done.json << done.errors;
  for (const char* color : {"blue", "green"}) {
    expect_nothing_unsaid(answer.json, color);
    expect_all_is_sent(answer.json, color);
  }
}

void PlanStatements::expect_said_and_done(const std::string& command) {
  begin_logs();
  const auto answer = shop_->command({"plan"});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  ASSERT_EQ(answer.json.value("command", ""), command);
  for (const char* color : {"blue", "green"})
    for (const auto& statement : log_of(color)) EXPECT_FALSE(is_changing(statement)) << "plan on " << color << ": " << statement;
  const auto again = shop_->command({"plan"});
  EXPECT_EQ(again.json.value("digest", "a"), answer.json.value("digest", "b"));
  begin_logs();
  const auto done = shop_->command({command, "--confirm", "shop"});
  ASSERT_EQ(done.exit_code, 0) << done.json << done.errors;
  for (const char* color : {"blue", "green"}) {
    expect_in_order(answer.json, color);
    expect_nothing_unsaid(answer.json, color);
  }
}

std::string diff_in(const json& plan) {
  for (const auto& step : plan.at("steps"))
    for (const auto& one : step.at("statements"))
      if (one.contains("diff")) return one.value("diff", "");
  return "";
}

// Kinds of objects that the shop has none of: a table without a key, a check that old rows break, a view that is filled.
TEST_F(PlanStatements, OfPrepareAreWhatIsSent) {
  ASSERT_EQ(shop_->command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  auto blue = admin(shop_->server("blue"));
  run(blue, "CREATE TABLE public.keyless (n int, t text); INSERT INTO public.keyless VALUES (1, 'a');"
            "ALTER TABLE public.keyless ADD CONSTRAINT positive CHECK (n > 1) NOT VALID;"
            "CREATE MATERIALIZED VIEW public.counted AS SELECT count(*) FROM public.customers");
  const auto text = shop_->command({"plan"}).json.dump();
  for (const char* program : {"pg_dump", "--section=pre-data", "--section=post-data"}) EXPECT_NE(text.find(program), std::string::npos) << program;
  expect_carried_out({}, {"prepare", "--yes"});
}

TEST_F(PlanStatements, OfWhatIsDoneAreNone) {
  const auto answer = shop_->command({"plan", "--for", "prepare"});
  EXPECT_EQ(answer.exit_code, 0) << answer.json;
  EXPECT_EQ(answer.json.value("command", ""), "prepare");
  for (const auto& step : answer.json.at("steps")) EXPECT_TRUE(step.value("state", "") == "done" && step.at("statements").empty()) << step;
}

TEST_F(PlanStatements, PasswordsOfThePoolersFileAreNotPrinted) {
  const auto ini = shop_->pooler().ini();
  const auto original = read(ini);
  const auto line_end = original.find('\n', original.find("shop = "));
  ASSERT_NE(original.find("shop = "), std::string::npos) << original;
  std::ofstream(ini, std::ios::trunc) << original.substr(0, line_end) << " password='open sesame'" << original.substr(line_end);
  const auto answer = shop_->command({"plan"});
  std::ofstream(ini, std::ios::trunc) << original;
  const auto diff = diff_in(answer.json);
  EXPECT_NE(diff.find("password=***"), std::string::npos) << answer.json;
  EXPECT_EQ(answer.json.dump().find("sesame"), std::string::npos);
}

TEST_F(PlanStatements, WrittenToAFileItIsTheSameDocument) {
  const auto file = shop_->dir() / "plan.json";
  const auto answer = shop_->command({"plan", "-o", file.string(), "--detailed-exitcode"});
  EXPECT_EQ(answer.exit_code, 10) << answer.errors;
  const auto written = json::parse(read(file));
  EXPECT_EQ(written.at("digest"), answer.json.at("digest"));
  EXPECT_EQ(written.at("steps").size(), answer.json.at("steps").size());
  EXPECT_EQ(shop_->command({"plan", "-o", (shop_->dir() / "no" / "such").string()}).json.at("error").value("id", ""), "plan.file");
}

TEST_F(PlanStatements, OfASwitchAreWhatIsSent) {
  const auto diff = diff_in(shop_->command({"plan"}).json);
  expect_said_and_done("switch");
  const auto added = diff.find("\n+shop");
  ASSERT_NE(added, std::string::npos) << diff;
  const auto line = diff.substr(added + 2, diff.find('\n', added + 1) - added - 2);
  EXPECT_NE(read(shop_->pooler().ini()).find(line + "\n"), std::string::npos) << line;
}

TEST_F(PlanStatements, OfARollbackAreWhatIsSent) { expect_said_and_done("rollback"); }

TEST_F(PlanStatements, OfFinishAreWhatIsSent) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  expect_carried_out({"--for", "finish", "--open-blue", "--purge"}, {"finish", "--now", "--open-blue", "--purge", "--confirm", "shop"});
}

}  // namespace
}  // namespace verdigris::test
