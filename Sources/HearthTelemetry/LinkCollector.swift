/// How fast each GPU's PCIe link runs, and how fast it could: a card in the wrong slot, or a link that came up narrow, is slow without
/// any error.
///
/// - Source: the kernel's sysfs-bus-pci: class 0x03 is display controllers, 0x12 processing accelerators.
struct LinkCollector: Collector {
    func metrics(of host: Host) -> [Metric] {
        let folder = "/sys/bus/pci/devices"
        let devices = host.names(folder).filter { device in
            let kind = host.text("\(folder)/\(device)/class") ?? ""
            return kind.hasPrefix("0x03") || kind.hasPrefix("0x12")
        }
        func each(_ file: String) -> [Metric.Sample] {
            devices.compactMap { device in
                // `16.0 GT/s PCIe`, or a plain number of lanes.
                let first = host.text("\(folder)/\(device)/\(file)")?.split(separator: " ").first
                guard let value = first.flatMap({ Double($0) }), value > 0, value < 255 else { return nil }
                return .init(["address": device], value)
            }
        }
        return [
            .gauge("hearth_host_gpu_link_lanes", "PCIe lanes in use.", each("current_link_width")),
            .gauge("hearth_host_gpu_link_max_lanes", "PCIe lanes that the device has.", each("max_link_width")),
            .gauge(
                "hearth_host_gpu_link_gigatransfers", "PCIe transfers a second in use, 10^9.",
                each("current_link_speed")),
            .gauge(
                "hearth_host_gpu_link_max_gigatransfers", "PCIe transfers a second that the device can, 10^9.",
                each("max_link_speed")),
        ]
    }
}
