import HearthCompute
import Testing

@Suite struct PipelineStatisticsTests {
    /// NVIDIA 580's on an H200, whose upper half means something else, RADV's and ANV's.
    @Test func spillsAreReadAsDriversNameThem() {
        #expect(PipelineStatistics.spills([]) == 0)
        #expect(PipelineStatistics.spills([("Register Count", 168), ("Local Memory Size", 1 << 36)]) == 0)
        #expect(PipelineStatistics.spills([("Local Memory Size", 1 << 36 | 96)]) == 96)
        #expect(PipelineStatistics.spills([("Spilled SGPRs", 4), ("Spilled VGPRs", 12), ("VGPRs", 256)]) == 12)
        #expect(PipelineStatistics.spills([("Spill Count", 7), ("Fill Count", 9)]) == 7)
    }
}
