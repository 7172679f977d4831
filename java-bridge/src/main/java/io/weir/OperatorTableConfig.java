/** Table options that keep the operator's own block cache. */
package io.weir;

import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;

/** Flink sets the slot's shared cache after the options factory has run; every other setting of Flink's is obeyed. */
final class OperatorTableConfig extends BlockBasedTableConfig {

    private final Cache own;

    /**
     * A copy of what Flink prepared. The class has no copy constructor, so setting by setting; its caches have no getters
     * and need none, because Flink sets only the one that is replaced here.
     */
    @SuppressWarnings("deprecation")
    OperatorTableConfig(BlockBasedTableConfig prepared, Cache own) {
        this.own = own;
        super.setBlockCache(own);
        setNoBlockCache(false);
        setCacheIndexAndFilterBlocks(prepared.cacheIndexAndFilterBlocks());
        setCacheIndexAndFilterBlocksWithHighPriority(
                prepared.cacheIndexAndFilterBlocksWithHighPriority());
        setPinL0FilterAndIndexBlocksInCache(prepared.pinL0FilterAndIndexBlocksInCache());
        setPinTopLevelIndexAndFilter(prepared.pinTopLevelIndexAndFilter());
        setIndexType(prepared.indexType());
        setDataBlockIndexType(prepared.dataBlockIndexType());
        setDataBlockHashTableUtilRatio(prepared.dataBlockHashTableUtilRatio());
        setChecksumType(prepared.checksumType());
        setBlockSize(prepared.blockSize());
        setBlockSizeDeviation(prepared.blockSizeDeviation());
        setBlockRestartInterval(prepared.blockRestartInterval());
        setIndexBlockRestartInterval(prepared.indexBlockRestartInterval());
        setMetadataBlockSize(prepared.metadataBlockSize());
        setPartitionFilters(prepared.partitionFilters());
        setOptimizeFiltersForMemory(prepared.optimizeFiltersForMemory());
        setUseDeltaEncoding(prepared.useDeltaEncoding());
        setFilterPolicy(prepared.filterPolicy());
        setWholeKeyFiltering(prepared.wholeKeyFiltering());
        setVerifyCompression(prepared.verifyCompression());
        setReadAmpBytesPerBit(prepared.readAmpBytesPerBit());
        setFormatVersion(prepared.formatVersion());
        setEnableIndexCompression(prepared.enableIndexCompression());
        setBlockAlign(prepared.blockAlign());
        setIndexShortening(prepared.indexShortening());
        setBlockCacheSize(prepared.blockCacheSize());
        setCacheNumShardBits(prepared.cacheNumShardBits());
        setBlockCacheCompressedSize(prepared.blockCacheCompressedSize());
        setBlockCacheCompressedNumShardBits(prepared.blockCacheCompressedNumShardBits());
    }

    /** What Flink sets where it bounds RocksDB's memory: a bound cache must hold index and filter blocks too. */
    void countIndexAndFilterBlocks() {
        setCacheIndexAndFilterBlocks(true);
        setCacheIndexAndFilterBlocksWithHighPriority(true);
        setPinL0FilterAndIndexBlocksInCache(true);
    }

    @Override
    public BlockBasedTableConfig setBlockCache(Cache shared) {
        return super.setBlockCache(own);
    }
}
