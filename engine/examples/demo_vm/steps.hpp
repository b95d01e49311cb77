// Where a handover is, for the figures, and for those who want to see a process die there.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <string_view>

#include "engine/examples/demo_vm/stopwatch.hpp"
#include "engine/lifecycle/participants.hpp"

namespace vcpr::demo {

class Steps {
 public:
  /// The steps in which this process kills itself, or stops and holds what it has; empty: none.
  Steps(std::string die_at, std::string stop_at) : die_at_(std::move(die_at)), stop_at_(std::move(stop_at)) {}
  /// Null: nowhere. `before_exec`: the last moment at which this image can say something.
  void note_in(Stopwatch* watch, std::function<void()> before_exec = {}) {
    watch_ = watch;
    before_exec_ = std::move(before_exec);
  }
  void reach(std::string_view step) {
    if (watch_ != nullptr) watch_->look(step);
    if (step == die_at_) std::raise(SIGKILL);
    if (step == stop_at_) std::raise(SIGSTOP);
  }
  void about_to_exec() {
    if (before_exec_) before_exec_();
  }

 private:
  std::string die_at_;
  std::string stop_at_;
  Stopwatch* watch_ = nullptr;
  std::function<void()> before_exec_;
};

/// First to let go, last to take over: added to the highest rank after everybody else.
class Outermost final : public lifecycle::Participant {
 public:
  explicit Outermost(Steps& steps) : steps_(steps) {}
  std::string what() const override { return "demo"; }
  Expected<void> let_go(lifecycle::Mode) override {
    steps_.reach("letting_go");
    return {};
  }
  Expected<void> check_loaded() override {
    steps_.reach("checking");
    return {};
  }
  Expected<void> take_over() override {
    steps_.reach("taken_over");
    return {};
  }

 private:
  Steps& steps_;
};

}  // namespace vcpr::demo
