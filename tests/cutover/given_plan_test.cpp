// switch, rollback, prepare and finish --plan: what `plan` printed is consent without a terminal as long as the same would be
// done, also while clients write; anything else is refused before anything is touched, and what differs is named.
#include <fstream>
#include <thread>

#include "tests/support/shared_shop.hpp"

namespace verdigris::test {
namespace {

using nlohmann::json;

class GivenPlan : public SharedShopWithPlaybook {
 protected:
  static std::string digest(const std::string& command = "") {
    const auto answer = command.empty() ? shop_->command({"plan"}) : shop_->command({"plan", "--for", command});
    EXPECT_EQ(answer.exit_code, 0) << answer.errors;
    return answer.json.value("digest", "");
  }
  std::string file(const std::string& name) const { return (shop_->dir() / name).string(); }
  // As people read it: Shop's own commands ask for the document.
  std::string text_file(const std::string& name) const {
    const auto result = run_tool({{VERDIGRIS_PROGRAM, "plan", "-o", file(name), "-f", shop_->playbook().string()}, {}, {}}, soon());
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return file(name);
  }
  std::string document_file(const std::string& name) const {
    EXPECT_EQ(shop_->command({"plan", "-o", file(name)}).exit_code, 0);
    return file(name);
  }
  // Exit code 8, what is said, and that nobody was touched.
  static std::string stale(const std::string& command, const std::string& plan) {
    const auto before = shop_->scene();
    const auto answer = shop_->command({command, "--plan", plan});
    EXPECT_EQ(answer.exit_code, 8) << answer.json << answer.errors;
    EXPECT_TRUE(before == shop_->scene()) << before.text << shop_->scene().text;
    const auto error = answer.json.value("error", json::object());
    EXPECT_EQ(error.value("id", ""), "plan.stale");
    EXPECT_NE(error.value("hint", "").find("verdigris plan"), std::string::npos);
    return error.value("message", "");
  }
  static std::string unusable(const std::string& plan) {
    const auto answer = shop_->command({"switch", "--plan", plan});
    EXPECT_EQ(answer.exit_code, 2) << plan << answer.json;
    return answer.json.value("error", json::object()).value("id", "");
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

TEST_F(GivenPlan, OfPrepareIsCarriedOutOrNothingIs) {
  ASSERT_EQ(shop_->command({"abandon", "--drop-green", "--confirm", "shop"}).exit_code, 0);
  const auto wanted = digest();
  auto blue = admin(shop_->server("blue"));
  run(blue, "CREATE TABLE public.late (id int PRIMARY KEY)");
  const auto refused = shop_->command({"prepare", "--plan", wanted});
  run(blue, "DROP TABLE public.late");
  EXPECT_EQ(refused.exit_code, 8) << refused.json;
  EXPECT_EQ(refused.json.at("error").value("id", ""), "plan.stale");
  for (const char* color : {"blue", "green"}) {
    auto session = admin(shop_->server(color));
    EXPECT_EQ(value(session, "SELECT count(*) FROM pg_namespace WHERE nspname = 'verdigris'"), "0") << color;
  }
  EXPECT_EQ(digest(), wanted);
  const auto answer = shop_->command({"prepare", "--plan", wanted});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
}

TEST_F(GivenPlan, IsADigestOrAFileOfPlan) {
  EXPECT_EQ(unusable("41ac09f00d1"), "plan.digest");
  EXPECT_EQ(unusable(std::string(65, 'a')), "plan.digest");
  EXPECT_EQ(unusable(file("nowhere")), "plan.unreadable");
  EXPECT_EQ(shop_->command({"switch", "--plan", digest(), "--max-pause", "60s"}).exit_code, 2) << "what was approved had another budget";
  EXPECT_EQ(unusable(shop_->dir().string()), "plan.unreadable");
  for (const char* garbage : {"", "garbage\n", "{}", "[1]", "{\"digest\": 7}", "digest sha256 41ac\n", "{\"command\": \"switch\", \"basis\": [], \"steps\": 3}"}) {
    write(file("garbage"), garbage);
    EXPECT_EQ(unusable(file("garbage")), "plan.unreadable") << garbage;
  }
  auto document = json::parse(read(document_file("plan.json")));
  document["steps"][0]["does"] = "nothing";
  write(file("edited.json"), document.dump());
  EXPECT_EQ(unusable(file("edited.json")), "plan.unreadable");
}

TEST_F(GivenPlan, ATableMoreMakesItStale) {
  const auto then = digest();
  const auto document = document_file("plan.json"), text = text_file("plan.txt");
  auto blue = admin(shop_->server("blue"));
  run(blue, "CREATE TABLE public.late (id int PRIMARY KEY)");
  EXPECT_TRUE(has(stale("switch", then), then.substr(0, 12)));
  for (const auto& file : {document, text}) {
    const auto message = stale("switch", file);
    EXPECT_TRUE(has(message, "rests on tables of blue: fingerprint")) << message;
  }
  run(blue, "DROP TABLE public.late");
  EXPECT_EQ(digest(), then);
}

TEST_F(GivenPlan, AnotherPlaybookMakesItStale) {
  const auto then = text_file("plan.txt");
  write(shop_->playbook(), replaced(original_, "max_pause: 10s", "max_pause: 11s"));
  const auto message = stale("switch", then);
  EXPECT_TRUE(has(message, "rests on playbook:")) << message;
}

TEST_F(GivenPlan, ThatOfAnotherCommandIsNotWhatWouldBeDone) { stale("switch", digest("prepare")); }

TEST_F(GivenPlan, AChangedPoolersFileIsNamedByItsStep) {
  const auto ini = shop_->pooler().ini();
  const auto original = read(ini);
  const auto then = document_file("plan.json");
  const auto at = original.find("shop = ");
  ASSERT_NE(at, std::string::npos);
  write(ini, original.substr(0, at) + "shop = connect_query='SELECT 1' " + original.substr(at + 7));
  const auto message = stale("switch", then);
  write(ini, original);
  EXPECT_TRUE(has(message, "first in stage_traffic: then")) << message;
}

TEST_F(GivenPlan, HoldsStillUnderLoadAndIsConsent) {
  const auto then = digest();
  shop_->start_load();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(digest(), then);
  EXPECT_EQ(shop_->command({"switch"}).exit_code, 2) << "nobody has agreed to it";
  EXPECT_EQ(shop_->command({"switch", "--plan", then, "--confirm", "shoe"}).exit_code, 2) << "a wrong name is wrong";
  Answer answer{.exit_code = 5, .json = {}, .errors = {}};
  for (int tries = 0; tries < 3 && (answer.exit_code == 5 || answer.exit_code == 3); ++tries)  // a client beside the pooler may be in the way
    answer = shop_->command({"switch", "--plan", then.substr(0, 12)});
  shop_->stop_load();
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_EQ(shop_->serving(), "green");
  EXPECT_EQ(shop_->command({"switch", "--plan", then}).exit_code, 0) << "it is done already";
}

TEST_F(GivenPlan, OfTheWayBackIsAFileToo) {
  const auto then = text_file("back.txt");
  EXPECT_EQ(shop_->command({"rollback", "--force", "--accept-loss=0", "--plan", then}).exit_code, 2) << "no plan tells of that";
  const auto answer = shop_->command({"rollback", "--plan", then});
  EXPECT_EQ(answer.exit_code, 0) << answer.json << answer.errors;
  EXPECT_EQ(shop_->serving(), "blue");
}

TEST_F(GivenPlan, OfFinishSaysWhetherBlueIsOpened) {
  ASSERT_EQ(shop_->cross("switch").exit_code, 0);
  const auto then = digest("finish");
  const auto answer = shop_->command({"finish", "--now", "--open-blue", "--plan", then});
  EXPECT_EQ(answer.exit_code, 8) << answer.json;
  EXPECT_EQ(shop_->command({"plan", "--purge"}).exit_code, 2) << "of a rollback there is nothing to purge";
  EXPECT_EQ(shop_->command({"finish", "--now", "--plan", then}).exit_code, 0);
}

}  // namespace
}  // namespace verdigris::test
