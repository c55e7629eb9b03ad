extension OpenAPI {
    /// Schemas of everything that goes over the wire, and who may ask.
    static let components = """
        components:
          securitySchemes:
            bearer: {type: http, scheme: bearer, description: 'a user: auditor reads, submitter also submits and cancels, operator does everything but be a node'}
            certificate: {type: mutualTLS, description: 'a node, by its SPIFFE id; /v1/nodes and below want it where the coordinator has an authority'}
          responses:
            Page: {description: HTML page, content: {text/html: {schema: {type: string}}}}
            Error: {description: what is wrong, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
          schemas:
            Error: {type: object, required: [error], properties: {error: {type: string}}}
            InvitationRequest: {type: object, required: [node, validSeconds], properties: {node: {type: string}, validSeconds: {type: number, minimum: 1, maximum: 2592000}}}
            Invitation: {type: object, required: [node, token], properties: {node: {type: string}, token: {type: string}}}
            JoinRequest: {type: object, required: [secret, request], properties: {secret: {type: string}, request: {type: string, description: a certificate signing request in PEM}}}
            RenewalRequest: {type: object, required: [request], properties: {request: {type: string}}}
            Certificate: {type: object, required: [certificate, authority], properties: {certificate: {type: string}, authority: {type: string}}}
            Ack: {type: object, required: [watermark], properties: {watermark: {type: integer}}}
            Device:
              type: object
              required: [selector, kind, name, driver, memoryByteCount]
              properties:
                selector: {type: string}
                kind: {type: string}
                name: {type: string}
                driver: {type: string}
                memoryByteCount: {type: integer}
                unusable: {type: string}
            MeasuredValue:
              type: object
              required: [median, lowerQuartile, upperQuartile, sampleCount]
              properties:
                median: {type: number}
                lowerQuartile: {type: number}
                upperQuartile: {type: number}
                sampleCount: {type: integer}
            Ceilings:
              type: object
              required: [device, deviceName, driver, measuredAt, f32FlopsPerSecond, copyBytesPerSecond, readBytesPerSecond, triadBytesPerSecond, hostToDeviceBytesPerSecond, deviceToHostBytesPerSecond, emptySubmitSeconds]
              properties:
                device: {type: string}
                deviceName: {type: string}
                driver: {type: string}
                measuredAt: {type: number}
                f32FlopsPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                bf16FlopsPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                int8OpsPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                copyBytesPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                readBytesPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                triadBytesPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                hostToDeviceBytesPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                deviceToHostBytesPerSecond: {$ref: '#/components/schemas/MeasuredValue'}
                emptySubmitSeconds: {$ref: '#/components/schemas/MeasuredValue'}
            Registration:
              type: object
              required: [node, bootID, version, devices]
              properties:
                node: {type: string}
                bootID: {type: string}
                version: {type: string}
                devices: {type: array, items: {$ref: '#/components/schemas/Device'}}
                site: {$ref: '#/components/schemas/Site'}
            Node:
              type: object
              required: [node, version, devices, health, registeredAt, lastSeenAt, isConnected, ceilings]
              properties:
                node: {type: string}
                version: {type: string}
                devices: {type: array, items: {$ref: '#/components/schemas/Device'}}
                health: {type: string, enum: [starting, healthy, suspect, quarantined, probation]}
                evidence: {type: string}
                drained: {type: string, description: why it takes no new jobs}
                barred: {type: string, description: why nothing counts that comes as this node}
                registeredAt: {type: number}
                lastSeenAt: {type: number}
                isConnected: {type: boolean}
                ceilings: {type: array, items: {$ref: '#/components/schemas/Ceilings'}}
                site: {$ref: '#/components/schemas/Site'}
            Site:
              type: object
              required: [name, kind, country]
              properties:
                name: {type: string}
                kind: {type: string, enum: [onprem, edge, cloud]}
                country: {type: string}
            Sampling:
              type: object
              required: [temperature, topK, topP, minP, seed]
              properties:
                temperature: {type: number}
                topK: {type: integer}
                topP: {type: number}
                minP: {type: number}
                seed: {type: integer}
            JobSpec:
              type: object
              required: [kind, name, device, timeoutSeconds, isChat, maxTokens, sampling, workloads]
              properties:
                kind: {type: string, enum: [generate, serve, bench, probe]}
                name: {type: string}
                device: {type: string}
                timeoutSeconds: {type: number}
                deadlineSeconds: {type: number, minimum: 1, maximum: 2592000}
                estimate: {$ref: '#/components/schemas/Estimate'}
                data: {type: array, items: {type: string}}
                purpose: {type: string, enum: [training, inference, evaluation]}
                onPartition: {type: string, enum: [keep, stop]}
                memoryGibibytes: {type: number, minimum: 0.0625, maximum: 1048576}
                cpus: {type: number, minimum: 0.1, maximum: 65536}
                model: {type: string}
                context: {type: integer}
                prompt: {type: string}
                input: {type: string}
                output: {type: string}
                listen: {type: string}
                modelName: {type: string}
                apiKeys: {type: string}
                tlsCertificate: {type: string}
                tlsKey: {type: string}
                isChat: {type: boolean}
                maxTokens: {type: integer}
                sampling: {$ref: '#/components/schemas/Sampling'}
                workloads: {type: array, items: {type: string}}
                cases: {type: array, minItems: 1, maxItems: 100, items: {type: string}}
            Estimate:
              type: object
              required: [kernels]
              properties:
                kernels: {type: array, minItems: 1, maxItems: 1000, items: {$ref: '#/components/schemas/KernelWork'}}
                memoryByteCount: {type: number}
            KernelWork:
              type: object
              required: [kernel, cost, arithmetic, launches]
              properties:
                kernel: {type: string, minLength: 1, maxLength: 80}
                cost:
                  type: object
                  description: of one launch
                  required: [flops, bytesRead, bytesWritten]
                  properties: {flops: {type: number}, bytesRead: {type: number}, bytesWritten: {type: number}}
                arithmetic: {type: string, enum: [f32, bf16, int8, f16-matrix]}
                launches: {type: integer, minimum: 1}
            Placement:
              type: object
              required: [job, reason, candidates, currency]
              properties:
                job: {type: string}
                chosen: {type: string, description: the node; none while it waits}
                reason: {type: string}
                deadlineSeconds: {type: number, description: from now}
                currency: {type: string}
                candidates: {type: array, items: {$ref: '#/components/schemas/Candidate'}}
            Candidate:
              type: object
              required: [node, isForbidden, isAway, waitSeconds, movedByteCount]
              properties:
                node: {type: string}
                site: {$ref: '#/components/schemas/Site'}
                device: {type: string}
                refusal: {type: string}
                isForbidden: {type: boolean, description: a label refuses}
                isAway: {type: boolean, description: it could be one later}
                permission: {type: string}
                waitSeconds: {type: number}
                finishSeconds: {type: number}
                measuredWatts: {type: number, description: what the node draws by its own counters}
                cost: {type: number}
                movedByteCount: {type: number}
                predicted:
                  type: object
                  required: [seconds, measuredKernels, kernels]
                  properties: {seconds: {type: number}, measuredKernels: {type: integer}, kernels: {type: integer}}
            Outcome:
              type: object
              required: [exitCode, actualSeconds, figures]
              properties:
                exitCode: {type: integer}
                message: {type: string}
                device: {type: string}
                deviceName: {type: string}
                actualSeconds: {type: number}
                predictedSeconds: {type: number}
                figures: {type: object, additionalProperties: {type: number}}
                decision: {type: string}
                model: {$ref: '#/components/schemas/FileUse'}
                input: {$ref: '#/components/schemas/FileUse'}
                output: {$ref: '#/components/schemas/FileUse'}
                flops: {type: number}
                energyJoules: {type: number}
                otherCores: {type: number}
                lostLease: {type: boolean}
                data:
                  type: array
                  items:
                    type: object
                    required: [name]
                    properties: {name: {type: string}, version: {type: integer}, tier: {type: string}, label: {type: string}}
                kernels:
                  type: array
                  description: what they took together, for predictions
                  items: {type: object, required: [work, seconds], properties: {work: {$ref: '#/components/schemas/KernelWork'}, seconds: {type: number}}}
                ceilings: {$ref: '#/components/schemas/Ceilings'}
            Job:
              type: object
              required: [id, spec, state, attempt, submittedAt]
              properties:
                id: {type: string}
                spec: {$ref: '#/components/schemas/JobSpec'}
                state: {type: string, enum: [queued, assigned, running, succeeded, failed, cancelled]}
                node: {type: string}
                attempt: {type: integer}
                submittedAt: {type: number}
                startedAt: {type: number}
                finishedAt: {type: number}
                outcome: {$ref: '#/components/schemas/Outcome'}
                waitingFor: {type: string}
                predictedSeconds: {type: number}
                cost: {type: number}
            Report:
              type: object
              required: [seq, at, body]
              properties:
                seq: {type: integer, minimum: 1}
                at: {type: number}
                body:
                  type: object
                  description: one key of ceilings, health, jobStarted, jobLog, jobFinished
                  properties:
                    ceilings: {type: object, required: [value], properties: {value: {$ref: '#/components/schemas/Ceilings'}}}
                    health: {type: object, required: [state], properties: {state: {type: string}, evidence: {type: string}}}
                    jobStarted: {type: object, required: [job, attempt], properties: {job: {type: string}, attempt: {type: integer}}}
                    jobLog: {type: object, required: [job, attempt, offset, text], properties: {job: {type: string}, attempt: {type: integer}, offset: {type: integer}, text: {type: string}}}
                    jobFinished: {type: object, required: [job, attempt, outcome], properties: {job: {type: string}, attempt: {type: integer}, outcome: {$ref: '#/components/schemas/Outcome'}}}
            ReportBatch:
              type: object
              required: [bootID, reports]
              properties:
                bootID: {type: string}
                reports: {type: array, maxItems: 10000, items: {$ref: '#/components/schemas/Report'}}
            Poll:
              type: object
              required: [waitSeconds, capacity, spooledReports]
              properties:
                waitSeconds: {type: number, minimum: 0, maximum: 60}
                capacity: {type: integer, minimum: 0, maximum: 1000}
                spooledReports: {type: integer}
                active: {type: array, items: {$ref: '#/components/schemas/JobAttempt'}, maxItems: 1000}
            Assignment:
              type: object
              required: [job, attempt, spec]
              properties:
                job: {type: string}
                attempt: {type: integer}
                spec: {$ref: '#/components/schemas/JobSpec'}
            Work:
              type: object
              required: [assignments, cancellations, revocations, leaseSeconds]
              properties:
                assignments: {type: array, items: {$ref: '#/components/schemas/Assignment'}}
                cancellations: {type: array, items: {type: string}}
                revocations: {type: array, items: {$ref: '#/components/schemas/JobAttempt'}}
                leaseSeconds: {type: number}
            JobAttempt: {type: object, required: [job, attempt], properties: {job: {type: string}, attempt: {type: integer}}}
            LoadBatch:
              type: object
              required: [samples]
              properties: {samples: {type: array, maxItems: 1000, items: {$ref: '#/components/schemas/LoadSample'}}}
            LoadSample:
              type: object
              required: [at, seconds, values]
              properties:
                at: {type: number, description: 'end, by the node''s clock, seconds since 1970'}
                seconds: {type: number, exclusiveMinimum: 0, maximum: 86400}
                values:
                  type: object
                  description: by name, which has its base unit at its end, such as cpu_busy_ratio
                  maxProperties: 64
                  additionalProperties: {$ref: '#/components/schemas/Spread'}
            Spread:
              type: object
              required: [mean, least, most]
              properties: {mean: {type: number}, least: {type: number}, most: {type: number}}
            OperatorReason: {type: object, required: [reason], properties: {reason: {type: string, minLength: 1, maxLength: 500}}}
            Publication: {type: object, required: [attempt], properties: {attempt: {$ref: '#/components/schemas/JobAttempt'}}}
            DataPlaces:
              type: object
              required: [name, isLabelled, unseenShards, copies]
              properties:
                name: {type: string}
                isLabelled: {type: boolean}
                unseenShards: {type: array, items: {type: string}}
                copies:
                  type: array
                  items:
                    type: object
                    required: [relation, sha256, node, path, job, at]
                    properties: {relation: {type: string, enum: [shard, derived]}, name: {type: string}, sha256: {type: string}, node: {type: string}, site: {type: string}, path: {type: string}, job: {type: string}, at: {type: number}}
            FileUse: {type: object, required: [path, sha256], properties: {path: {type: string}, sha256: {type: string}}}
            Consistency:
              type: object
              required: [old, hashes, checkpoint]
              properties:
                old: {type: integer}
                hashes: {type: array, items: {type: string}}
                checkpoint: {type: string}
            LogChunk:
              type: object
              required: [text, nextOffset, isComplete]
              properties:
                text: {type: string}
                nextOffset: {type: integer}
                isComplete: {type: boolean}


        """
}
