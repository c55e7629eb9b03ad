/// Temperatures and power as sensors say them.
///
/// - Source: the kernel's hwmon sysfs interface: thousandths of a degree, microwatts.
struct ThermalCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        let folder = "/sys/class/hwmon"
        let chips = host.numbered(folder, prefix: "hwmon")
        func each(_ file: String, times factor: Double) -> [Metric.Sample] {
            chips.compactMap { chip in
                host.number("\(folder)/\(chip)/\(file)").map { value in
                    .init(["chip": chip, "sensor": host.text("\(folder)/\(chip)/name") ?? chip], value * factor)
                }
            }
        }
        return [
            .gauge(
                "hearth_host_temperature_celsius", "Of each sensor chip's first place.",
                each("temp1_input", times: 1e-3)),
            .gauge("hearth_host_power_watts", "Average of each sensor chip.", each("power1_average", times: 1e-6)),
        ]
    }
}
