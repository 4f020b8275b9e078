/** A class and how sure the network is of it. */
export interface Answer {
  number: number;
  name: string;
  /** From general to specific, without the name itself; may be empty. */
  path: string[];
  /** 0 to 1, averaged over the crops. */
  confidence: number;
}

export interface Classification {
  answers: Answer[];
  /** Decoding to pixels not counted. */
  ms: number;
  crops: number;
  memoryBytes: number;
}

export interface About {
  name: string;
  /** Name and path of every class. */
  labels: string[][];
  /** Which build of the core runs: "relaxed_simd" or "simd128". */
  engine: string;
  /** Bytes that were downloaded. */
  loaded: number;
  [key: string]: unknown;
}

export type Source = ImageBitmapSource;

/** What went wrong, as a sentence. */
export class LensError extends Error {
  slug:
    | 'cancelled' | 'closed' | 'crops' | 'download' | 'insecure' | 'lens' | 'memory' | 'photo'
    | 'simd' | 'unexpected' | 'wrong';
}

export class Lens {
  static load(
    url: string | URL,
    options?: {
      onProgress?: (progress: { loaded: number; total: number }) => void;
      signal?: AbortSignal;
      cache?: string;
    },
  ): Promise<Lens>;
  readonly about: About;
  classify(
    source: Source,
    options?: { top?: number; crops?: 1 | 5 | 10; smooth?: number; signal?: AbortSignal },
  ): Promise<Classification>;
  close(): void;
}
