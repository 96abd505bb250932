#include "lastbit/method/registry.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

// Each is defined in the file of its method.
MethodInfo admm_method();
MethodInfo dc_method();
MethodInfo gd_tanh_method();
MethodInfo idc_method();
MethodInfo lc_method();
MethodInfo lc_qp_method();
MethodInfo md_softmax_method();
MethodInfo md_softmax_s_method();
MethodInfo md_tanh_method();
MethodInfo md_tanh_s_method();
MethodInfo picm_method();
MethodInfo pmf_method();

std::span<const MethodInfo> methods() {
  static const std::vector<MethodInfo> kMethods = {
      admm_method(),
      lc_method(),
      lc_qp_method(),
      dc_method(),
      idc_method(),
      md_tanh_s_method(),
      md_softmax_s_method(),
      md_tanh_method(),
      md_softmax_method(),
      gd_tanh_method(),
      pmf_method(),
      picm_method(),
  };
  return kMethods;
}

const MethodInfo& find_method(std::string_view name) {
  std::vector<std::string_view> known;
  for (const MethodInfo& info : methods()) {
    if (info.name == name) return info;
    known.push_back(info.name);
  }
  throw InputError(cat("[method] '", name, "' is not known, expected one of: ", join(known)));
}

std::unique_ptr<Method> make_method(const MethodInfo& info,
                                    const std::map<std::string, std::string>& given) {
  return info.make(Settings(info.name, info.options, given));
}

}  // namespace lastbit
