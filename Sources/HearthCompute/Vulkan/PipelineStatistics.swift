/// What a driver's compiler says of a pipeline: `VK_KHR_pipeline_executable_properties`.
package enum PipelineStatistics {
    /// What the compiler moved to memory for want of registers: bytes or registers, as the driver counts them; 0 where it
    /// moved nothing or does not say.
    ///
    /// NVIDIA (driver 580) gives bytes of local memory, which arrays that are indexed at run time take as well, in the lower
    /// half of a word whose upper half means something else. Mesa's drivers count registers (RADV) or operations (ANV).
    package static func spills(_ statistics: [(name: String, value: UInt64)]) -> Int {
        statistics.reduce(0) { most, statistic in
            switch statistic.name.lowercased() {
            case "local memory size": max(most, Int(UInt32(truncatingIfNeeded: statistic.value)))
            case "spilled vgprs", "spill count": max(most, Int(clamping: statistic.value))
            default: most
            }
        }
    }
}
