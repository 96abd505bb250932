#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "lastbit/base/error.h"
#include "lastbit/graph/onnx.h"

// Files written field by field, as other programs write them. The numbers are those of onnx.proto.

namespace lastbit {

using protozero::pbf_writer;
using Fill = std::function<void(pbf_writer&)>;

inline std::string message(const Fill& fill) {
  std::string bytes;
  pbf_writer writer(bytes);
  fill(writer);
  return bytes;
}

inline std::string node(
    const std::string& name,
    const std::string& op,
    const std::vector<std::string>& inputs,
    const std::vector<std::string>& outputs,
    const Fill& more = [](pbf_writer&) {}) {
  return message([&](pbf_writer& w) {
    for (const std::string& input : inputs) w.add_string(1, input);
    for (const std::string& output : outputs) w.add_string(2, output);
    w.add_string(3, name);
    w.add_string(4, op);
    more(w);
  });
}

inline std::string value(const std::string& name, const std::vector<std::int64_t>& dims) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    w.add_message(2, message([&](pbf_writer& type) {
                    type.add_message(1, message([&](pbf_writer& tensor) {
                                       tensor.add_int32(1, 1);
                                       tensor.add_message(2, message([&](pbf_writer& shape) {
                                                            for (const std::int64_t dim : dims) {
                                                              shape.add_message(
                                                                  1, message([&](pbf_writer& d) {
                                                                    d.add_int64(1, dim);
                                                                  }));
                                                            }
                                                          }));
                                     }));
                  }));
  });
}

inline std::string tensor(const std::string& name, int type, const Shape& dims, const Fill& data) {
  return message([&](pbf_writer& w) {
    for (const std::int64_t dim : dims) w.add_int64(1, dim);
    w.add_int32(2, type);
    w.add_string(8, name);
    data(w);
  });
}

inline std::string model(
    const Fill& graph, std::int64_t opset = 13, const Fill& more = [](pbf_writer&) {}) {
  return message([&](pbf_writer& w) {
    w.add_int64(1, 8);
    w.add_message(7, message(graph));
    w.add_message(8, message([&](pbf_writer& o) { o.add_int64(2, opset); }));
    more(w);
  });
}

// x -> relu -> y, and what `more` adds.
inline Fill relu_graph(const Fill& more) {
  return [more](pbf_writer& w) {
    w.add_message(1, node("relu", "Relu", {"x"}, {"y"}));
    w.add_message(11, value("x", {2}));
    w.add_message(12, value("y", {2}));
    more(w);
  };
}

inline std::string with_initializer(int type, const Shape& dims, const Fill& data) {
  return model(relu_graph([&](pbf_writer& w) { w.add_message(5, tensor("w", type, dims, data)); }));
}

inline Graph parse(const std::string& bytes, const std::filesystem::path& folder = {}) {
  return parse_onnx(std::as_bytes(std::span(bytes)), folder);
}

inline void expect_refusal(const std::string& bytes, const std::string& words) {
  EXPECT_THAT([&] { return parse(bytes); },
              ::testing::ThrowsMessage<InputError>(::testing::HasSubstr(words)));
}

inline const Tensor& initializer(const Graph& graph) {
  return std::get<Tensor>(*graph.find_initializer("w"));
}

}  // namespace lastbit
