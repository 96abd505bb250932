#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <nlohmann/json.hpp>

namespace lastbit {

/// What goes to a helper process and comes back.
struct Message {
  nlohmann::json head = nlohmann::json::object();
  std::string bytes = {};
};

/// Work in a process of its own, so that foreign code may crash or hang there: it answers one
/// message after another. It ends with the object.
class HelperProcess {
 public:
  using Answer = std::function<Message(const Message&)>;

  /// Starts the process as a copy of this one, which must have a single thread. What the helper
  /// prints goes to standard error.
  /// @param name  for error messages, "[name] ...".
  /// @param answer  called in the helper for each message; what it throws is thrown by `ask`.
  HelperProcess(std::string name, const Answer& answer);
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess();

  /// @param patience  seconds to wait for the answer.
  /// @throws WorkError with what the helper threw, or if it ended or did not answer in time.
  Message ask(const Message& message, double patience);

 private:
  [[noreturn]] void fail_ended();

  std::string name_;
  int socket_ = -1;
  pid_t child_ = -1;
};

}  // namespace lastbit
