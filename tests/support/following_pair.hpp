// Blue and green of two majors; green follows by a subscription of its own, as prepare lays it, and nothing else is
// there: no fence, no way back. Tables are the test's: make them on both sides, then follow().
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "replication/control_schema.hpp"
#include "replication/publication.hpp"
#include "replication/server.hpp"
#include "replication/slot.hpp"
#include "replication/subscription.hpp"
#include "tests/support/cluster.hpp"

namespace verdigris::test {

class FollowingPair : public ::testing::TestWithParam<std::pair<int, int>> {
 protected:
  void SetUp() override {
    const auto [blue, green] = GetParam();
    NEED_POSTGRES(blue);
    NEED_POSTGRES(green);
    pair_ = &shared_pair(blue, green);
    source_.emplace(side(pair_->blue(), "blue"));
    target_.emplace(side(pair_->green(), "green"));
    blue_.emplace(admin(pair_->blue()));
    green_.emplace(admin(pair_->green()));
    for (auto* on : {&*blue_, &*green_}) run(*on, "SET search_path = public");
  }
  void TearDown() override {
    if (!is_following_) return;
    drop_subscription(target_->control(), Stream::forward("shop"), soon());
    drop_slot(source_->control(), Stream::forward("shop"), soon());
  }

  void on_both(const std::string& sql) {
    for (auto* on : {&*blue_, &*green_}) run(*on, sql);
  }
  // The tables must be there on both sides, with their identities, and be empty.
  void follow() {
    install_control_schema(source_->control(), "shop", "blue", soon());
    install_control_schema(target_->control(), "shop", "green", soon());
    const Stream stream = Stream::forward("shop");
    ensure_publication(source_->control(), stream, publishable(user_tables(source_->control(), soon())), soon());
    ensure_slot(source_->control(), stream, soon());
    is_following_ = true;
    create_subscription(*target_, stream, pair_->blue().conninfo("verdigris_repl", "shop"), source_->major(), false,
                        ApplyAs::owners_of_tables, soon());
    enable_subscription(target_->control(), stream, soon());
  }

  Pair* pair_ = nullptr;
  std::optional<Server> source_, target_;
  std::optional<Connection> blue_, green_;
  bool is_following_ = false;
};

inline std::string majors_name(const ::testing::TestParamInfo<std::pair<int, int>>& info) {
  return "From" + std::to_string(info.param.first) + "To" + std::to_string(info.param.second);
}

}  // namespace verdigris::test
